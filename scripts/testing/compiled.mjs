import { register } from 'node:module';

register(new URL('./compiled-hooks.mjs', import.meta.url));
