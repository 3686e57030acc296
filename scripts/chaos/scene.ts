import type { NatsConnection } from '@nats-io/transport-node';
import type { Store } from '../../lib/store/collections.ts';
import type { Attempts } from './attempts.ts';
import type { Campaign } from './campaign.ts';
import type { FaultDone } from './fault.ts';
import type { ChaosOptions } from './options.ts';
import type { Plan } from './plan.ts';
import type { StrangeCommands } from './strange-commands.ts';
import type { Users } from './users.ts';
import type { ForwardWatch } from './watch-forward.ts';
import type { World } from './world.ts';

export interface ChaosRun {
  plan: Plan;
  options: ChaosOptions;
  world: World;
  nc: NatsConnection;
  store: Store;
  attemptsFile: string;
  say: (line: string) => void;
}

/** Where the users' batches and all records of a run are. */
export interface Scene extends ChaosRun {
  attempts: Attempts;
  users: Users;
  strange: StrangeCommands;
  campaign: Campaign;
  forward: ForwardWatch;
  faults: FaultDone[];
}
