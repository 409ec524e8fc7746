import { useState } from 'preact/hooks';
import type { InvitedPerson, Person } from '../../../../schemas/console/people.ts';
import { usePeople } from '../../api/queries.ts';
import { useMay, usePerson } from '../../api/session.ts';
import { Badge } from '../../parts/badge.tsx';
import { Button } from '../../parts/button.tsx';
import { type Column, DataTable } from '../../parts/data-table.tsx';
import { Menu } from '../../parts/menu.tsx';
import { Empty } from '../../parts/note.tsx';
import { Time, useNow } from '../../parts/time.tsx';
import { en } from '../../text/en/settings.ts';
import { fr } from '../../text/fr/settings.ts';
import { useText } from '../../text/language.tsx';
import { AdminsOnly } from './admins-only.tsx';
import { GrantList } from './grants.tsx';
import { InvitationLink, InviteAgain, InvitePerson, PersonRoles, RemovePerson } from './person-dialogs.tsx';

type Asked =
  | { readonly kind: 'invite' }
  | { readonly kind: 'roles' | 'again' | 'remove'; readonly person: Person }
  | { readonly kind: 'link'; readonly invited: InvitedPerson };

/** Who may come in, and to do what. */
export function PeopleTab() {
  const { people: text } = useText({ en, fr });
  const isAdmin = useMay('admin');
  const { data, error, isPlaceholderData, refetch } = usePeople(isAdmin);
  const [asked, setAsked] = useState<Asked | null>(null);
  const columns = useColumns(setAsked);
  if (!isAdmin) return <AdminsOnly what="people" />;
  const close = () => setAsked(null);
  const invited = (answer: InvitedPerson) => setAsked({ kind: 'link', invited: answer });
  return (
    <>
      <div class="line">
        <Button look="main" icon="plus" onClick={() => setAsked({ kind: 'invite' })}>
          {text.invite}
        </Button>
      </div>
      <DataTable<Person>
        caption={text.caption}
        columns={columns}
        rows={data?.people}
        rowId={({ id }) => id}
        stale={isPlaceholderData}
        fault={error}
        onRetry={() => void refetch()}
        empty={
          <Empty icon="person" title={text.none}>
            {text.noneMore}
          </Empty>
        }
      />
      {asked?.kind === 'invite' ? <InvitePerson onInvited={invited} onClose={close} /> : null}
      {asked?.kind === 'roles' ? <PersonRoles person={asked.person} onClose={close} /> : null}
      {asked?.kind === 'again' ? (
        <InviteAgain person={asked.person} onInvited={invited} onClose={close} />
      ) : null}
      {asked?.kind === 'remove' ? <RemovePerson person={asked.person} onClose={close} /> : null}
      {asked?.kind === 'link' ? <InvitationLink invited={asked.invited} onClose={close} /> : null}
    </>
  );
}

function useColumns(onAsk: (asked: Asked) => void): Column<Person>[] {
  const { people: text } = useText({ en, fr });
  const { person: own } = usePerson();
  const now = useNow();
  const { column } = text;
  return [
    {
      id: 'name',
      title: column.name,
      card: 'title',
      cell: ({ id, name, login }) => (
        <span class="person-cell">
          <span>
            {name}
            {id === own.id ? <span class="quiet"> ({text.you})</span> : null}
          </span>
          {name === login ? null : <span class="quiet small">{login}</span>}
        </span>
      ),
    },
    { id: 'may', title: column.may, cell: ({ grants }) => <GrantList grants={grants} /> },
    {
      id: 'state',
      title: column.state,
      tight: true,
      card: 'badge',
      cell: ({ state, invited_until: until }) => (
        <span class="person-cell">
          <Badge tone={state === 'active' ? 'ok' : 'none'} icon={state === 'active' ? 'ready' : 'waiting'}>
            {text.state[state]}
          </Badge>
          {state === 'active' || until === null ? null : Date.parse(until) < now.getTime() ? (
            <span class="small quiet">{text.linkOver}</span>
          ) : (
            <span class="small quiet">
              {text.until} <Time at={until} clock />
            </span>
          )}
        </span>
      ),
    },
    {
      id: 'sign-in',
      title: column.signIn,
      tight: true,
      cell: ({ last_sign_in_at: at }) => <Time at={at} />,
    },
    { id: 'by', title: column.by, tight: true, hideMedium: true, cell: ({ created_by: by }) => by },
    {
      id: 'actions',
      title: '',
      tight: true,
      cell: (person) => {
        const self = person.id === own.id ? text.offSelf : null;
        return (
          <Menu
            label={text.actions(person.name)}
            icon="dots"
            look="bare"
            small
            items={[
              { id: 'roles', word: text.roles, onChoose: () => onAsk({ kind: 'roles', person }) },
              {
                id: 'again',
                word: text.again,
                offBecause: self,
                onChoose: () => onAsk({ kind: 'again', person }),
              },
              {
                id: 'remove',
                word: text.remove,
                danger: true,
                offBecause: self,
                onChoose: () => onAsk({ kind: 'remove', person }),
              },
            ]}
          />
        );
      },
    },
  ];
}
