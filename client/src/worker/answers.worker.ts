/** Some of the owner's ring-LWE answers. */
import { type Endpoint, serveAnswers } from '../../../protocols/index.ts';

serveAnswers(self as unknown as Endpoint);
