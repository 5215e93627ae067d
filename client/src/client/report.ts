/** What a result can be taken away as. None of it contains the photograph. */
import { sha256 } from '@noble/hashes/sha2.js';
import { bytesToHex, utf8ToBytes } from '@noble/hashes/utils.js';
import { protocolVersion } from '../../../protocols/inference/handshake.ts';
import { type Manifest, publicManifest } from '../../../protocols/inference/manifest.ts';
import { version } from '../../package.json';
import { t } from '../language/language.ts';
import { maskedImage } from '../live/maskedPixels.ts';
import type { Result } from '../session/clientStore.svelte.ts';
import { formatBytes, formatCount, formatMs, formatPercent } from '../ui/format.ts';
import { trustIn } from './confidence.ts';
import type { Confidence } from './confidenceLevels.ts';

const layerFields = [
  'name',
  'protocol',
  'phase',
  'elapsedMs',
  'bytesClientToOwner',
  'bytesOwnerToClient',
  'flights',
] as const;

/** When, by what and of which model a report is. */
interface Origin {
  /** ISO 8601. */
  date: string;
  version: string;
  protocolVersion: number;
  browser: string;
  model: string;
  /**
   * SHA-256 of the description that the owner sent (JSON, as `publicManifest` has it): two reports with the same one
   * are of models with the same shape, scales and labels. It says nothing of the weights, whose digest would confirm guesses.
   */
  modelDescription: string;
}

const originOf = (manifest: Manifest, date: Date): Origin => ({
  date: date.toISOString(),
  version,
  protocolVersion,
  browser: navigator.userAgent,
  model: manifest.name,
  modelDescription: bytesToHex(sha256(utf8ToBytes(JSON.stringify(publicManifest(manifest))))),
});

export function jsonReport(result: Result, manifest: Manifest, correlations: string): Blob {
  const { classification, offline, online, layers, date } = result;
  const report = {
    ...originOf(manifest, date),
    label: classification.label,
    labelIndex: classification.labelIndex,
    logits: classification.logits,
    probabilities: classification.probabilities,
    labels: manifest.labels,
    correlations,
    phases: { offline, online },
    layers,
  };
  return new Blob([JSON.stringify(report, undefined, 2)], { type: 'application/json' });
}

/** One line for each step; the origin stands in every one, so that lines of several reports can be mixed. */
export function csvReport({ layers, date }: Result, manifest: Manifest): Blob {
  const quote = (value: string | number) =>
    typeof value === 'number' ? String(value) : `"${value.replaceAll('"', '""')}"`;
  const origin = originOf(manifest, date);
  const fields = [...layerFields, ...Object.keys(origin)];
  const lines = layers.map((layer) =>
    [...layerFields.map((field) => layer[field]), ...Object.values(origin)].map(quote).join(','),
  );
  return new Blob([[fields.join(','), ...lines].join('\r\n')], { type: 'text/csv' });
}

/** Of the square in which the noise is drawn, in the summary's pixels. */
const noiseSide = 310;

/**
 * A picture to share: label, bars, costs, and the noise that the owner got.
 * @param masked as it crossed the wire
 * @param figures of the model, for the same percentages as on the screen
 */
export async function summaryImage(
  result: Result,
  manifest: Manifest,
  masked: Uint8Array | undefined,
  figures: Confidence | undefined,
): Promise<Blob> {
  const words = t().client.summary;
  const canvas = new OffscreenCanvas(1200, 630);
  const context = canvas.getContext('2d')!;
  const text = (value: string, x: number, y: number, size: number, color: string, weight = 500, maxWidth?: number) => {
    context.fillStyle = color;
    context.font = `${weight} ${size}px "Bricolage Grotesque Variable", system-ui, sans-serif`;
    context.fillText(value, x, y, maxWidth);
  };
  const [ink, soft, track, client, owner] = ['#f1eee6', '#b1acb9', '#34313f', '#f0805c', '#2d9da3'] as const;
  context.fillStyle = '#14131a';
  context.fillRect(0, 0, 1200, 630);
  context.fillStyle = client;
  context.fillRect(0, 0, 600, 10);
  context.fillStyle = owner;
  context.fillRect(600, 0, 600, 10);

  text(words.title, 70, 95, 34, soft);
  text(result.classification.label, 70, 185, 84, ink, 750, 700);
  const { logits } = result.classification;
  const top = (logits.length > 0 ? trustIn(logits, manifest.labels, figures).probabilities : [])
    .map((probability, i) => ({ probability, label: manifest.labels[i] }))
    .toSorted((a, b) => b.probability - a.probability)
    .slice(0, 5);
  for (const [i, { probability, label }] of top.entries()) {
    const y = 262 + i * 50;
    text(label, 70, y, 26, ink, 500, 210);
    context.fillStyle = track;
    context.fillRect(300, y - 21, 340, 24);
    context.fillStyle = client;
    context.fillRect(300, y - 21, Math.max(2, 340 * probability), 24);
    text(formatPercent(probability), 660, y, 26, ink);
  }
  if (top.length === 0) text(words.labelOnly, 70, 262, 28, soft);

  if (masked) {
    const noise = await createImageBitmap(maskedImage(masked, manifest));
    const scale = noiseSide / Math.max(noise.width, noise.height);
    const [width, height] = [scale * noise.width, scale * noise.height];
    context.imageSmoothingEnabled = false;
    context.drawImage(noise, 820 + (noiseSide - width) / 2, 150 + (noiseSide - height) / 2, width, height);
    text(words.noise, 820, 498, 24, soft);
  }

  const bytes = (cost: Result['online']) => formatBytes(cost.bytesClientToOwner + cost.bytesOwnerToClient);
  const cost = (name: string, phase: Result['online']) =>
    words.phase(name, formatMs(phase.elapsedMs), bytes(phase), formatCount(phase.flights));
  text(
    `${cost(t().client.result.answer, result.online)}  ·  ${cost(t().client.result.preparation, result.offline)}`,
    70,
    550,
    24,
    '#6fd3d6',
    500,
    1060,
  );
  text(words.footer, 70, 590, 22, soft);
  return canvas.convertToBlob({ type: 'image/png' });
}

/** A file of the type of `summaryImage`, which this device can hand to other apps. */
export function canShareFiles(): boolean {
  const files = [new File([], 'blindsight.png', { type: 'image/png' })];
  return typeof navigator.canShare === 'function' && navigator.canShare({ files });
}

/** By the device's share sheet; as a download where that fails. Who closes the sheet gets neither. */
export async function share(blob: Blob, name: string): Promise<void> {
  try {
    await navigator.share({ files: [new File([blob], name, { type: blob.type })] });
  } catch (error) {
    if ((error as Error).name !== 'AbortError') download(blob, name);
  }
}

export function download(blob: Blob, name: string): void {
  const url = URL.createObjectURL(blob);
  const link = document.createElement('a');
  link.href = url;
  link.download = name;
  link.click();
  setTimeout(() => URL.revokeObjectURL(url), 1000);
}
