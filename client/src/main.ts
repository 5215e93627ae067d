import { mount } from 'svelte';
import './styles/tokens.css';
import './styles/base.css';
import App from './App.svelte';
import { preferredLanguage, showLanguage } from './language/language.ts';

// Before the first words are drawn: they would change under the reader's eyes.
await showLanguage(preferredLanguage());
mount(App, { target: document.getElementById('app')! });
// Of a page on a static host (client/offline.ts): what was used once works without a network.
if (import.meta.env.MODE === 'static') void navigator.serviceWorker?.register('offline.js');
