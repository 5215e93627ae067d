/** WebRTC in Node, before a module is loaded that looks for it. Import this file first. */
import { installWebRtc } from '../../scripts/lib/nodeWebRtc.ts';

installWebRtc();
