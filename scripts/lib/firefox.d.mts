export function findFirefox(): Promise<string | undefined>;
