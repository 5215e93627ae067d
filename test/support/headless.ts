/** A signaling server, a headless owner of the tiny model and headless clients, in Node over real WebRTC. */
import './webRtc.ts';
import path from 'node:path';
import { PassThrough } from 'node:stream';
import pino from 'pino';
import type { Invite } from '../../client/src/pairing/invite.ts';
import type { ArtifactFiles, RgbaImage } from '../../protocols/index.ts';
import { classifyAt, withOwner } from '../../scripts/lib/headlessClient.ts';
import { HeadlessOwner } from '../../scripts/lib/headlessOwner.ts';
import { readArtifact } from '../../scripts/lib/models.ts';
import { createSignalingServer } from '../../signaling-server/server.ts';

export const tinyFolder = `${path.join(import.meta.dirname, '../vectors/tiny')}/`;

/** 16 pixels square, of one colour. */
export const plainImage = (value: number): RgbaImage => ({
  data: new Uint8Array(16 * 16 * 4).fill(value),
  width: 16,
  height: 16,
});

export async function startHeadless(options: {
  rooms: number;
  limit?: number;
  threads?: number;
  files?: ArtifactFiles;
  threadModule?: URL;
  onBroken?: (error: Error) => void;
  onDone?: () => void;
}) {
  const files = { distDir: '/nowhere', modelsDir: '/nowhere', modelFiles: new Set<string>() };
  const signaling = await createSignalingServer({
    ...files,
    port: 0,
    limits: { admissions: { burst: 10_000, perSecond: 1000 } },
  });
  const server = `http://localhost:${signaling.port}/`;
  const stream = new PassThrough();
  const lines: string[] = [];
  // The last ones: a log that is kept whole would look like a leak.
  stream.on('data', (data) => {
    lines.push(...String(data).trim().split('\n'));
    lines.splice(0, lines.length - 1000);
  });
  const artifact = await readArtifact(tinyFolder);
  const opened = HeadlessOwner.open({
    files: artifact,
    answer: 'logits',
    server,
    limit: Number.POSITIVE_INFINITY,
    ...options,
    iceServers: () => [],
    log: pino({ base: null, timestamp: pino.stdTimeFunctions.isoTime }, stream),
  });
  const { owner, invites } = await opened.catch(async (error: unknown) => {
    await signaling.stop();
    throw error;
  });
  return {
    owner,
    invites,
    server,
    /** The log's, so far. */
    lines,
    /** Connects, shakes hands and leaves. */
    greet: (invite: Invite, waitMs = 0) => withOwner(invite, { server, waitMs }, async () => {}),
    classify: (invite: Invite, value = 128, waitMs = 0) => classifyAt(invite, plainImage(value), { server, waitMs }),
    async stop() {
      await owner.stop();
      await signaling.stop();
    },
  };
}
