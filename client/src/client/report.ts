/** What a result can be taken away as. None of it contains the photograph. */
import type { Manifest } from '../../../protocols/inference/manifest.ts';
import { t } from '../language/language.ts';
import { maskedPixels } from '../live/maskedPixels.ts';
import type { Result } from '../session/clientStore.svelte.ts';
import type { MeterRow } from '../session/sessionView.svelte.ts';
import { formatBytes, formatCount, formatMs, formatPercent } from '../ui/format.ts';
import { trustIn } from './confidence.ts';
import type { Confidence } from './confidenceLevels.ts';

type Layer = Pick<
  MeterRow,
  'name' | 'protocol' | 'phase' | 'elapsedMs' | 'bytesClientToOwner' | 'bytesOwnerToClient' | 'flights'
>;
const layerFields = [
  'name',
  'protocol',
  'phase',
  'elapsedMs',
  'bytesClientToOwner',
  'bytesOwnerToClient',
  'flights',
] as const;

export function jsonReport(result: Result, manifest: Manifest, correlations: string): Blob {
  const { classification, offline, online, layers } = result;
  const report = {
    model: manifest.name,
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

export function csvReport(layers: readonly Layer[]): Blob {
  const quote = (value: string | number) =>
    typeof value === 'number' ? String(value) : `"${value.replaceAll('"', '""')}"`;
  const lines = layers.map((layer) => layerFields.map((field) => quote(layer[field])).join(','));
  return new Blob([[layerFields.join(','), ...lines].join('\r\n')], { type: 'text/csv' });
}

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

  const side = manifest.architecture.imageSize;
  if (masked) {
    const noise = new ImageData(maskedPixels(masked, side, manifest.architecture.patchSize), side, side);
    context.imageSmoothingEnabled = false;
    context.drawImage(await createImageBitmap(noise), 820, 150, 310, 310);
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

export function download(blob: Blob, name: string): void {
  const url = URL.createObjectURL(blob);
  const link = document.createElement('a');
  link.href = url;
  link.download = name;
  link.click();
  setTimeout(() => URL.revokeObjectURL(url), 1000);
}
