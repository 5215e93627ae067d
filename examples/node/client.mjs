// node examples/node/client.mjs MODEL_FOLDER
// The client's process. It starts the owner's, and knows nothing of the model but what the owner's process tells.
import { fork } from 'node:child_process';
import { fileURLToPath } from 'node:url';
import { classifyAsClient } from '@blindsight/protocols';
import { redDisc } from '../picture.mjs';
import { processWire } from './wire.mjs';

const ownerProgram = fileURLToPath(new URL('owner.mjs', import.meta.url));
const owner = fork(ownerProgram, [process.argv[2]], { serialization: 'advanced' });

const { label, probabilities, labelIndex } = await classifyAsClient(processWire(owner), redDisc(), {
  onEvent: (event) => event.type === 'state' && console.log(`client: ${event.state}`),
});
console.log(`client: it is ${label} (${(100 * probabilities[labelIndex]).toFixed(0)} %)`);
