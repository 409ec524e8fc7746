export const en = {
  title: 'Events',
  lead: 'Everything agents did, in their own words, in the order in which the console heard of it.',
  search: 'Words of the message, host, reason',
  column: { time: 'Time', severity: 'Severity', reason: 'Reason', host: 'Host', message: 'Message' },
  run: 'The run',
  because: 'Because',
  any: { severity: 'Severity: any', range: 'Time: any' },
  filter: { agent: 'Agent', reason: 'Reason', flow: 'Flow', run_id: 'Run', since: 'Since', until: 'Until' },
  ranges: { '1': 'Last hour', '24': 'Last day', '168': 'Last 7 days' },
  none: 'No events yet',
  noneMore: 'Every action of an agent is an event. They arrive within seconds of the first report.',
};
