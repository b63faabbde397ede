// One of two files that run in one process, where each is a realm of its own.
import { cases } from './cases.mjs';

cases();
