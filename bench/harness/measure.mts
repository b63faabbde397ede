// measure.mts — rivals timed in turns: lib/cli/bench-measure.ts, which `zerohop bench` has too.

export { type Contender, type MeasureOptions, measureInTurns } from '#cli/bench-measure';
