/** Names for correlations of tests that have no plan. */
import type { CorrelationKey } from '../../protocols/offline/correlations.ts';

export const keyOf = (step: string): CorrelationKey => ({ op: 0, part: 'product', step });
