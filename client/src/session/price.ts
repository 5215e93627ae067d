/**
 * How long one answer takes, told before anything has run: the plan's bytes, flights and work, times what these took where both tabs
 * ran on one machine, times how much faster or slower this machine is. A slow connection comes on top; its bytes are told beside.
 */
import { machineSpeed } from '../worker/machineSpeed.ts';
import type { PlanCost } from '../worker/messages.ts';
import { planCost } from '../worker/planCost.ts';

/**
 * Two Chromium 156 tabs on one machine, 2 vCPU of an AMD EPYC (Zen 5), quiet, 2026-11-30, wire version 14: solved for the first answer of
 * `imagenette` (3.11 and 0.99 s) and for `imagenet1k` (36.7 and 12.0 s), online 5 % below both, for the others take less than they say.
 * The processor carries bytes there too, so all of it goes with its speed. On two vCPUs of an older machine (Zen 3) it took 1.8 times what
 * this says: what speed.worker.ts measures differs less between the two than all else.
 */
const reference = {
  /** As speed.worker.ts measures it. */
  bytesPerSecond: 3.55e9,
  offlineMsPerWorkMs: 1.06,
  offlineMsPerByte: 1.51e-5,
  onlineMsPerByte: 6.45e-5,
  onlineMsPerFlight: 4.7,
};

/** Between two tabs on a machine like this one. */
export interface PriceTime {
  readonly offlineMs: number;
  readonly onlineMs: number;
}

export interface ModelPrice {
  readonly cost: PlanCost;
  /** Undefined where the machine cannot be measured. */
  readonly time: PriceTime | undefined;
}

/** Undefined where the manifest has no plan. */
export async function modelPrice(manifestJson: string): Promise<ModelPrice | undefined> {
  const [cost, speed] = await Promise.all([planCost(manifestJson), machineSpeed()]);
  return cost && { cost, time: speed === undefined ? undefined : timeOf(cost, speed) };
}

/** @param bytesPerSecond this machine's, as speed.worker.ts measures it */
export function timeOf(cost: PlanCost, bytesPerSecond: number): PriceTime {
  const slowness = reference.bytesPerSecond / bytesPerSecond;
  const offlineMs = reference.offlineMsPerWorkMs * cost.offlineWorkMs + reference.offlineMsPerByte * cost.offlineBytes;
  const onlineMs = reference.onlineMsPerByte * cost.onlineBytes + reference.onlineMsPerFlight * cost.flights;
  return { offlineMs: slowness * offlineMs, onlineMs: slowness * onlineMs };
}
