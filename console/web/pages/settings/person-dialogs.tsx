import { useQueryClient } from '@tanstack/preact-query';
import { useState } from 'preact/hooks';
import type { z } from 'zod';
import type {
  Grant,
  InvitedPerson,
  Person,
  PersonAnswer,
  PersonDraft,
} from '../../../../schemas/console/people.ts';
import { useApi } from '../../api/provider.tsx';
import { Command } from '../../parts/copied.tsx';
import { Dialog } from '../../parts/dialog.tsx';
import { TextField } from '../../parts/text-field.tsx';
import { Time } from '../../parts/time.tsx';
import { useToast } from '../../parts/toast.tsx';
import { en } from '../../text/en/settings.ts';
import { en as signInEn } from '../../text/en/sign-in.ts';
import { fr } from '../../text/fr/settings.ts';
import { fr as signInFr } from '../../text/fr/sign-in.ts';
import { useText } from '../../text/language.tsx';
import { isLogin } from '../sign-in/login.ts';
import { FormDialog } from './form-dialog.tsx';
import { GrantsField, wholeGrants } from './grants.tsx';

const pathOf = ({ id }: Person) => `/api/people/${encodeURIComponent(id)}`;

function usePeopleChanged(): () => void {
  const queries = useQueryClient();
  return () => void queries.invalidateQueries({ queryKey: ['people'] });
}

export function InvitePerson(props: { onInvited: (invited: InvitedPerson) => void; onClose: () => void }) {
  const { people: text } = useText({ en, fr });
  const signIn = useText({ en: signInEn, fr: signInFr });
  const api = useApi();
  const changed = usePeopleChanged();
  const [login, setLogin] = useState('');
  const [name, setName] = useState('');
  const [grants, setGrants] = useState<readonly Grant[]>([{ tenant: '', role: 'viewer' }]);
  const [asked, setAsked] = useState(false);
  const [made, setMade] = useState<InvitedPerson | null>(null);
  const whole = isLogin(login);
  const send = async () => {
    setAsked(true);
    if (!whole || !wholeGrants(grants)) return false;
    const draft: z.input<typeof PersonDraft> = { login, grants: [...grants] };
    if (name.trim() !== '') draft.name = name;
    setMade(await api.send<InvitedPerson>('POST', '/api/people', draft));
    changed();
    return false;
  };
  if (made !== null) return <InvitationLink invited={made} onClose={props.onClose} />;
  return (
    <FormDialog title={text.inviteTitle} action={text.inviteAction} onSend={send} onClose={props.onClose}>
      <TextField
        label={text.login}
        note={text.loginNote}
        fault={asked && !whole ? signIn.loginWrong : null}
        fill="login of another"
        maxLength={128}
        value={login}
        onInput={setLogin}
      />
      <TextField label={text.name} note={text.nameNote} maxLength={100} value={name} onInput={setName} />
      <GrantsField grants={grants} onGrants={setGrants} asked={asked} />
    </FormDialog>
  );
}

export function PersonRoles({ person, onClose }: { person: Person; onClose: () => void }) {
  const { people: text } = useText({ en, fr });
  const api = useApi();
  const toast = useToast();
  const changed = usePeopleChanged();
  const [grants, setGrants] = useState<readonly Grant[]>(person.grants);
  const [asked, setAsked] = useState(false);
  const send = async () => {
    setAsked(true);
    if (!wholeGrants(grants)) return false;
    await api.send<PersonAnswer>('PATCH', pathOf(person), { grants });
    changed();
    toast('ok', text.saved(person.name));
    return true;
  };
  return (
    <FormDialog
      title={text.rolesTitle(person.name)}
      action={text.rolesAction}
      onSend={send}
      onClose={onClose}
    >
      <GrantsField grants={grants} onGrants={setGrants} asked={asked} />
      <p class="quiet">{text.rolesNote}</p>
    </FormDialog>
  );
}

export function InviteAgain(props: {
  person: Person;
  onInvited: (invited: InvitedPerson) => void;
  onClose: () => void;
}) {
  const { person } = props;
  const { people: text } = useText({ en, fr });
  const api = useApi();
  const changed = usePeopleChanged();
  const [made, setMade] = useState<InvitedPerson | null>(null);
  const send = async () => {
    setMade(await api.send<InvitedPerson>('POST', `${pathOf(person)}/invitation`));
    changed();
    return false;
  };
  if (made !== null) return <InvitationLink invited={made} onClose={props.onClose} />;
  return (
    <FormDialog
      title={text.againTitle(person.name)}
      action={text.againAction}
      danger={person.state === 'active'}
      onSend={send}
      onClose={props.onClose}
    >
      <p>{text.againText}</p>
    </FormDialog>
  );
}

export function RemovePerson({ person, onClose }: { person: Person; onClose: () => void }) {
  const { people: text } = useText({ en, fr });
  const api = useApi();
  const toast = useToast();
  const changed = usePeopleChanged();
  const send = async () => {
    await api.send<PersonAnswer>('DELETE', pathOf(person));
    changed();
    toast('ok', text.removed(person.name));
    return true;
  };
  return (
    <FormDialog
      title={text.removeTitle(person.name)}
      action={text.removeAction}
      danger
      onSend={send}
      onClose={onClose}
    >
      <p>{text.removeText}</p>
    </FormDialog>
  );
}

/** The link, this once. */
export function InvitationLink({ invited, onClose }: { invited: InvitedPerson; onClose: () => void }) {
  const { people: text } = useText({ en, fr });
  const { person, invitation } = invited;
  return (
    <Dialog title={text.linkTitle(person.name)} onClose={onClose}>
      <p>
        {text.linkText} <Time at={invitation.expires_at} clock />.
      </p>
      <Command text={invitation.url} what={text.link} />
    </Dialog>
  );
}
