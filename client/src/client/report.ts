/** What a result can be taken away as. None of it contains the photograph. */
import type { Manifest } from '../../../protocols/inference/manifest.ts';
import type { Result } from '../session/clientStore.svelte.ts';
import type { MeterRow } from '../session/sessionView.svelte.ts';
import { formatBytes, formatMs, formatPercent } from '../ui/format.ts';

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

/** A picture to share: label, bars, costs. */
export async function summaryImage(result: Result, manifest: Manifest): Promise<Blob> {
  const canvas = new OffscreenCanvas(1200, 630);
  const context = canvas.getContext('2d')!;
  const text = (value: string, x: number, y: number, size: number, color: string, weight = 600) => {
    context.fillStyle = color;
    context.font = `${weight} ${size}px "Bricolage Grotesque Variable", system-ui, sans-serif`;
    context.fillText(value, x, y);
  };
  context.fillStyle = '#14131a';
  context.fillRect(0, 0, 1200, 630);
  context.fillStyle = '#f0805c';
  context.fillRect(0, 0, 600, 10);
  context.fillStyle = '#2d9da3';
  context.fillRect(600, 0, 600, 10);
  text('Classified without being shown', 70, 110, 34, '#b1acb9');
  text(result.classification.label, 70, 200, 84, '#f1eee6', 750);
  const top = result.classification.probabilities
    .map((probability, i) => ({ probability, label: manifest.labels[i]! }))
    .toSorted((a, b) => b.probability - a.probability)
    .slice(0, 5);
  for (const [i, { probability, label }] of top.entries()) {
    const y = 275 + i * 52;
    context.fillStyle = '#34313f';
    context.fillRect(330, y - 22, 640, 26);
    context.fillStyle = '#f0805c';
    context.fillRect(330, y - 22, Math.max(2, 640 * probability), 26);
    text(label.slice(0, 18), 70, y, 26, '#f1eee6', 500);
    text(formatPercent(probability), 1000, y, 26, '#f1eee6', 500);
  }
  const bytes = (cost: Result['online']) => formatBytes(cost.bytesClientToOwner + cost.bytesOwnerToClient);
  text(
    `online ${formatMs(result.online.elapsedMs)}, ${bytes(result.online)}, ${result.online.flights} flights · offline ${formatMs(result.offline.elapsedMs)}, ${bytes(result.offline)}`,
    70,
    560,
    24,
    '#6fd3d6',
    500,
  );
  text('Blindsight: two tabs, two-party computation, no dealer', 70, 598, 22, '#b1acb9', 500);
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
