import { getContext, setContext } from 'svelte';
import type { PreparedImage } from '../worker/messages.ts';

type OwnPicture = () => Pick<PreparedImage, 'pixels' | 'seen'> | undefined;

const key = Symbol('the client’s picture');

/** For what explains things by the client's own picture: called by a screen that has one, as it is made. */
export const setOwnPicture = (picture: OwnPicture): void => void setContext(key, picture);

/** That of the screen around, if it has one by now; called as a component is made. */
export const ownPicture = (): ReturnType<OwnPicture> => getContext<OwnPicture | undefined>(key)?.();
