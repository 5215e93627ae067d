/** The owner's answers in Workers: as many as the machine's cores allow, whatever cores the tests' machine has. */
import type { Page } from 'playwright-core';
import { expect, test } from 'vitest';
import { alert, classifyNext, classifySample, openRoom } from './support/pair.ts';
import { useApp } from './support/useApp.ts';

const app = useApp();

/** Runs in a page: says which Workers it starts and ends. @param broken a name whose script is not there. */
const watch = (broken = '') => `{
  const Real = Worker;
  self.Worker = class extends Real {
    constructor(url, options) {
      super(options.name === '${broken}' ? '/nowhere.js' : url, options);
      this.name = options.name;
      console.debug('begun ' + this.name);
    }
    terminate() {
      super.terminate();
      console.debug('ended ' + this.name);
    }
  };
}`;

/** An owner's room and a client in it. @param prelude what the owner's page runs first. */
async function pairOn(cores: number, prelude: string) {
  const said: string[] = [];
  const onPage = (page: Page) => {
    page.on('console', (message) => message.type() === 'debug' && said.push(message.text()));
    void page.addInitScript((value) => Object.defineProperty(navigator, 'hardwareConcurrency', { value }), cores);
    void page.addInitScript({ content: prelude });
    void page.route('**/protocol.worker-*.js', async (route) => {
      const response = await route.fetch();
      const body = `console.error = ({ message }) => console.debug(message);\n${await response.text()}`;
      await route.fulfill({ response, body });
    });
  };
  const { owner, invite } = await openRoom(app, undefined, onPage);
  const client = await app.page();
  await client.goto(invite);
  await client.getByTestId('sample').first().waitFor();
  const count = (text: string) => said.filter((each) => each === text).length;
  return { owner, client, count };
}

test('four cores: three Workers answer, for both pictures', async () => {
  const { client, count } = await pairOn(4, watch());
  await classifySample(client);
  await client.getByRole('heading', { name: 'Next picture' }).waitFor();
  await classifyNext(client, 1);
  expect([count('begun ot'), count('begun answers'), count('ended answers')]).toEqual([1, 3, 0]);
});

test('two cores: none', async () => {
  const { client, count } = await pairOn(2, watch());
  await classifySample(client);
  expect([count('begun ot'), count('begun answers')]).toEqual([1, 0]);
});

test('a Worker that cannot run ends the session on both sides, and all of them', async () => {
  const { owner, client, count } = await pairOn(4, watch('answers'));
  await alert(owner, /./).waitFor({ timeout: 30_000 });
  await alert(client, /./).waitFor({ timeout: 30_000 });
  await expect.poll(() => count('a Worker for the answers of ring-LWE could not run')).toBeGreaterThan(0);
  expect(count('begun answers')).toBeGreaterThanOrEqual(3);
  await expect.poll(() => count('ended answers')).toBe(count('begun answers'));
});

test('a Worker for the oblivious transfers that cannot run does, too', async () => {
  const { owner, client, count } = await pairOn(2, watch('ot'));
  await alert(owner, /./).waitFor({ timeout: 30_000 });
  await alert(client, /./).waitFor({ timeout: 30_000 });
  await expect.poll(() => count('ended ot')).toBe(count('begun ot'));
});

test('a client that leaves takes all Workers of its pairing with it', async () => {
  const { client, count } = await pairOn(4, watch());
  await classifySample(client);
  await client.close();
  for (const name of ['protocol', 'ot', 'answers'])
    await expect.poll(() => count(`ended ${name}`), { message: name }).toBe(count(`begun ${name}`));
});
