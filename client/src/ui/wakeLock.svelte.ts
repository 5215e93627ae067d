/**
 * Keeps the screen on while there is work: a phone that locks stops the tab, and the protocol with it. Call it while a
 * component is made. Browsers that cannot, or whose battery is low, go on without.
 */
export function keepAwake(isBusy: () => boolean): void {
  const busy = $derived(isBusy());
  $effect(() => {
    if (!busy || !('wakeLock' in navigator)) return;
    let lock: WakeLockSentinel | undefined;
    let ended = false;
    const request = async () => {
      if (document.visibilityState !== 'visible') return; // a hidden page gets none, and loses the one it has
      const granted = await navigator.wakeLock.request('screen').catch(() => undefined);
      if (ended) void granted?.release();
      else lock = granted;
    };
    void request();
    document.addEventListener('visibilitychange', request);
    return () => {
      ended = true;
      document.removeEventListener('visibilitychange', request);
      void lock?.release();
    };
  });
}
