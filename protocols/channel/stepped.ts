import type { Channel } from './channel.ts';

export const phases = ['setup', 'offline', 'online'] as const;
export type Phase = (typeof phases)[number];

/** A channel that is told which step of the plan its traffic belongs to. */
export interface SteppedChannel extends Channel {
  /** What is sent and received from now on belongs to this step; coming back to a step adds to it. */
  enterStep(name: string, phase: Phase): void;
}

/** Tells a channel within a decorator, if it wants to know. */
export function forwardStep(channel: Channel, name: string, phase: Phase): void {
  if ('enterStep' in channel) (channel as SteppedChannel).enterStep(name, phase);
}
