// The client's page: it connects to the owner's, which must be waiting, and classifies a picture.
import { classifyAsClient } from '@blindsight/protocols';
import { connect } from './connect.mjs';

const say = (text) => {
  document.querySelector('output').textContent = text;
};

document.querySelector('input').onchange = async ({ target }) => {
  try {
    const bitmap = await createImageBitmap(target.files[0]);
    const { width, height } = bitmap;
    const canvas = new OffscreenCanvas(width, height).getContext('2d');
    canvas.drawImage(bitmap, 0, 0);
    const { data } = canvas.getImageData(0, 0, width, height);
    const { label } = await classifyAsClient(
      await connect('client'),
      { data, width, height },
      {
        onEvent: (event) => event.type === 'progress' && say(`${event.phase} ${Math.round(100 * event.fraction)} %`),
      },
    );
    say(`It is ${label}`);
  } catch (error) {
    say(error.message);
  }
};
