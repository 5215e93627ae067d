/**
 * Vite plugins that write licenses.md into the build: of every package of which something goes into the page or a worker, fonts
 * included. Vite's own `build.license` sees neither workers nor styles.
 */
import { readdir, readFile } from 'node:fs/promises';
import path from 'node:path';
import type { Plugin } from 'vite';

const inPackage = /^(.*\/node_modules\/(?:@[^/]+\/)?[^/]+)\//;
const licenseFile = /^(licen[cs]e|copying)/i;

async function licenseOf(folder: string): Promise<string> {
  const { name, version, license } = JSON.parse(await readFile(path.join(folder, 'package.json'), 'utf8'));
  const file = (await readdir(folder)).find((file) => licenseFile.test(file));
  const text = file ? await readFile(path.join(folder, file), 'utf8') : 'The package has no file with the text.';
  return `## ${name} ${version} (${license})\n\n${text.trim()}\n`;
}

/** `page` for `plugins`, `worker` for `worker.plugins`: workers are built first. */
export function licenses(): { page: Plugin; worker: Plugin } {
  const folders = new Set<string>();
  const add = (file: string) => {
    const [, folder] = inPackage.exec(file.replaceAll('\\', '/').replace(/^\0/, '')) ?? [];
    if (folder) folders.add(folder);
  };
  const collect = (name: string) => ({
    name,
    apply: 'build' as const,
    moduleParsed: ({ id }: { id: string }) => add(id),
  });
  return {
    worker: collect('licenses-worker'),
    page: {
      ...collect('licenses'),
      async generateBundle(_options, bundle) {
        // Fonts are no modules.
        for (const file of Object.values(bundle))
          if (file.type === 'asset')
            for (const name of file.originalFileNames) add(path.resolve(import.meta.dirname, name));
        const texts = await Promise.all([...folders].sort().map(licenseOf));
        const title = '# Licenses\n\nWhat this build has of others, and their terms.\n';
        this.emitFile({ type: 'asset', fileName: 'licenses.md', source: [title, ...texts].join('\n') });
      },
    },
  };
}
