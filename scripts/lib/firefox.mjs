// Which Firefox the tests drive.
import { chosenOrInstalled } from './browsers.mjs';

/** FIREFOX_PATH, or a Firefox that is installed; undefined when there is none. @throws Error when FIREFOX_PATH names no file. */
export const findFirefox = () =>
  chosenOrInstalled('FIREFOX_PATH', [
    '/usr/bin/firefox-esr',
    '/usr/bin/firefox',
    '/Applications/Firefox.app/Contents/MacOS/firefox',
    'C:/Program Files/Mozilla Firefox/firefox.exe',
  ]);
