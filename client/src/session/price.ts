/**
 * How long one answer takes, told before anything has run: the plan's bytes, flights and work, times what these took where both tabs
 * ran on one machine, times how much faster or slower this machine is. A slow connection comes on top; its bytes are told beside.
 */
import { machineSpeed } from '../worker/machineSpeed.ts';
import type { PlanCost } from '../worker/messages.ts';
import { planCost } from '../worker/planCost.ts';

/**
 * Two Chromium 156 tabs on one machine, 2 vCPU of an AMD EPYC (Zen 3, AVX2), quiet, 2026-11-29, wire version 12: solved for
 * `imagenette` (7.0 and 2.39 s) and `imagenet1k` (77.1 and 29.6 s), online 3 % below both, for `imagenette-exact` takes less than they say.
 * The processor carries bytes there too, so all of it goes with its speed.
 */
const reference = {
  /** As speed.worker.ts measures it. */
  bytesPerSecond: 2.8e9,
  offlineMsPerWorkMs: 2.185,
  offlineMsPerByte: 2.17e-5,
  onlineMsPerByte: 1.64e-4,
  onlineMsPerFlight: 11.2,
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
