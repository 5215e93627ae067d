// The owner's process; client.mjs starts it.
import { serveAsOwner } from '@blindsight/protocols';
import { readModel } from '../model.mjs';
import { processWire } from './wire.mjs';

const wire = processWire(process);
const { served } = await serveAsOwner(wire, await readModel(process.argv[2]), { limit: 1 });
console.log(`owner: served ${served}, saw no picture`);
