/** The interpreter of model-artifacts' environment. */
export const python: string;
export function setUpPython(): Promise<void>;
