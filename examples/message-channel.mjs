// node examples/message-channel.mjs MODEL_FOLDER
// Both parties in one program, over a MessageChannel. In an app each port would be in a Worker or frame of its own.
import { classifyAsClient, serveAsOwner } from '@blindsight/protocols';
import { readModel } from './model.mjs';
import { redDisc } from './picture.mjs';

const { port1, port2 } = new MessageChannel();

// The owner has the model.
const serving = serveAsOwner(port1, await readModel(process.argv[2]), { limit: 1 });

// The client has the picture.
const { label, report } = await classifyAsClient(port2, redDisc());
const { served } = await serving;

console.log(`The client sees: ${label}`);
console.log(`The owner knows that it served ${served}.`);
for (const [phase, { bytesClientToOwner, bytesOwnerToClient, flights }] of Object.entries(report.phases))
  console.log(`${phase}: ${bytesClientToOwner} bytes to the owner, ${bytesOwnerToClient} back, ${flights} flights`);
