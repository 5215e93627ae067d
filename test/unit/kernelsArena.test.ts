import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { Arena } from '../../protocols/kernels/arena.ts';

it('never hands out overlapping pieces, and is whole again when all are back', () => {
  const step = fc.record({ release: fc.boolean(), bytes: fc.integer({ min: 0, max: 200_000 }), which: fc.nat() });
  fc.assert(
    fc.property(fc.array(step, { maxLength: 40 }), (steps) => {
      const arena = new Arena(5000);
      const live: { start: number; bytes: number }[] = [];
      for (const { release, bytes, which } of steps) {
        if (release && live.length > 0) arena.release(live.splice(which % live.length, 1)[0].start);
        else live.push({ start: arena.allocate(bytes), bytes });
        const sorted = [...live].sort((a, b) => a.start - b.start);
        for (let i = 0; i < sorted.length; i++) {
          const { start, bytes } = sorted[i];
          expect(start).toBeGreaterThanOrEqual(5000);
          expect(start % 64).toBe(0);
          expect(start + bytes).toBeLessThanOrEqual(sorted[i + 1]?.start ?? arena.memory.buffer.byteLength);
        }
      }
      for (const { start } of live) arena.release(start);
      expect(arena.usedBytes).toBe(0);
      const capacity = arena.memory.buffer.byteLength;
      // One free piece: all that was ever handed out fits again without growth.
      arena.allocate(live.reduce((sum, { bytes }) => sum + bytes, 0));
      expect(arena.memory.buffer.byteLength).toBe(capacity);
    }),
  );
});

it('refuses to take back what it did not hand out', () => {
  const arena = new Arena();
  const start = arena.allocate(10);
  arena.release(start);
  expect(() => arena.release(start)).toThrow(RangeError);
});

describe('a scope', () => {
  it('takes back what it handed out and no more', () => {
    const arena = new Arena();
    const kept = arena.allocate(100);
    const { usedBytes } = arena;
    const result = arena.scope((scope) => {
      const first = scope.allocate(1000);
      const second = scope.adopt(arena.allocate(70_000));
      const inner = arena.scope((within) => within.allocate(5000));
      expect(arena.usedBytes).toBe(usedBytes + 1024 + 70_016);
      expect(new Set([kept, first, second]).size).toBe(3);
      const passing = arena.allocate(10);
      arena.release(passing);
      return inner;
    });
    expect(arena.usedBytes).toBe(usedBytes);
    // What the inner scope had is free again.
    expect(() => arena.release(result)).toThrow(RangeError);
    arena.release(kept);
    expect(arena.usedBytes).toBe(0);
  });

  it('takes it back when `work` throws', () => {
    const arena = new Arena();
    const failing = () =>
      arena.scope((scope) => {
        scope.allocate(1000);
        scope.adopt(arena.allocate(2000));
        throw new Error('in the middle');
      });
    expect(failing).toThrow('in the middle');
    expect(arena.usedBytes).toBe(0);
  });
});
