import { pino } from 'pino';
import { defaultBehaviour, type Rule } from '../../../../../../services/smsc-simulator/behaviour.ts';
import { startSimulator } from '../../../../../../services/smsc-simulator/simulator.ts';
import { smppProvider } from '../../../../../../services/steps/delivery/providers/smpp/smpp-provider.ts';
import { simulatedAccount } from '../../fixtures/delivery-host.ts';
import { providerConformance } from '../provider-conformance.ts';

const STATUS = { recipient: 0x0b, throttled: 0x58, batch: 0x0a };

providerConformance('smpp', async () => {
  const simulator = await startSimulator({ httpPort: null });
  const provider = smppProvider({
    account: simulatedAccount(simulator.smppPort, { window: 50 }),
    intake: {
      receipt: (_receipt, giver, ticket) => giver.stored(ticket, true),
      lateAnswer: () => {},
      flush: async () => {},
    },
    log: pino({ level: 'silent' }),
  });
  await provider.start();
  return {
    provider,
    carrier: {
      refuse(rules) {
        simulator.change({
          ...structuredClone(defaultBehaviour),
          rules: rules.map(({ as, ...rule }): Rule => ({ ...rule, commandStatus: STATUS[as] })),
        });
      },
      async vanish() {
        simulator.change({ rules: [{ pattern: '.', disconnect: 'before' }] });
      },
      received: () =>
        [...simulator.messages()]
          .filter(({ commandStatus }) => commandStatus === 0)
          .map(({ msisdn, text }) => ({ destination: msisdn, text })),
    },
    async stop() {
      await provider.stop();
      await simulator.stop();
    },
  };
});
