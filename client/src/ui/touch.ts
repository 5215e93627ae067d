import { MediaQuery } from 'svelte/reactivity';

/** Whether the main pointer is a finger: then words say tap, and nothing can be dropped. */
export const touch = new MediaQuery('pointer: coarse');
