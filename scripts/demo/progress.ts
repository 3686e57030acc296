import cliProgress from 'cli-progress';

export interface PhaseBars {
  update(phase: string, done: number, total: number, note: string): void;
  stop(): void;
}

const thousands = new Intl.NumberFormat('en');

/** One bar a phase on a terminal; one line a phase where there is none. */
export function phaseBars(): PhaseBars {
  const onTerminal = process.stderr.isTTY === true;
  const multi = new cliProgress.MultiBar(
    {
      format: '  {phase} {bar} {percentage}% {shown} {note}',
      hideCursor: true,
      clearOnComplete: false,
      stopOnComplete: false,
      autopadding: true,
      noTTYOutput: false,
      fps: 10,
    },
    cliProgress.Presets.shades_classic,
  );
  const bars = new Map<string, cliProgress.SingleBar>();
  const told = new Set<string>();
  return {
    update(phase, done, total, note) {
      const shown = `${thousands.format(done)} of ${thousands.format(total)}`;
      if (!onTerminal) {
        if (done < total || told.has(phase)) return;
        told.add(phase);
        process.stderr.write(`  ${phase.padEnd(12)} ${shown} ${note}\n`);
        return;
      }
      let bar = bars.get(phase);
      if (!bar) {
        bar = multi.create(Math.max(1, total), 0, { phase: phase.padEnd(12), shown, note });
        bars.set(phase, bar);
      }
      bar.setTotal(Math.max(1, total));
      bar.update(total === 0 ? 1 : done, { shown, note });
    },
    stop: () => multi.stop(),
  };
}
