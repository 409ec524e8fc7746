export const en = {
  title: 'Audit',
  lead: 'Who did what to whom, and why. Nothing here can be changed.',
  search: 'Words, login, host, action',
  column: { at: 'When', by: 'Who', action: 'What', whom: 'To whom', message: 'In words', reason: 'Why' },
  filter: { agent: 'Agent', action: 'What', by: 'Who', since: 'Since', until: 'Until' },
  operatorsOnly: 'The audit is for operators',
  operatorsOnlyMore: 'It names people, keys and addresses. Ask an admin of the tenant for the role.',
  none: 'Nothing has been done yet',
  noneMore: 'Sign-ins, tokens, actions on agents, keys and people are written down here.',
};
