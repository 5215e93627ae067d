// The owner's page: it waits for a client, and serves it.
import { loadOwnerModel, serveAsOwner } from '@blindsight/protocols';
import { connect } from './connect.mjs';

const say = (text) => {
  document.querySelector('output').textContent = text;
};

document.querySelector('input').onchange = async ({ target }) => {
  try {
    const file = (name) => [...target.files].find((chosen) => chosen.name === name);
    const model = loadOwnerModel({
      manifest: await file('manifest.json').text(),
      weightsIndex: await file('weights.json').text(),
      weights: await file('weights.bin').arrayBuffer(),
    });
    say('Waiting for a client');
    const { served } = await serveAsOwner(await connect('owner'), model, { limit: 1 });
    say(`Served ${served}, saw no picture`);
  } catch (error) {
    say(error.message);
  }
};
