import { useEffect, useMemo, useState } from 'preact/hooks';
import type { RunDetail, RunFile } from '../../../../schemas/console/run.ts';
import { ApiFault } from '../../api/fault.ts';
import { Button } from '../../parts/button.tsx';
import { Mono } from '../../parts/copied.tsx';
import { Dialog } from '../../parts/dialog.tsx';
import { Icon } from '../../parts/icon.tsx';
import { LogLines } from '../../parts/log-lines.tsx';
import { Bones, FaultNote } from '../../parts/note.tsx';
import { Card } from '../../parts/page.tsx';
import { en } from '../../text/en/run.ts';
import { useFormat } from '../../text/format.ts';
import { fr } from '../../text/fr/run.ts';
import { useText } from '../../text/language.tsx';
import { visible } from './ansi.ts';
import { goesOn } from './going-on.ts';
import { LogLineText } from './log-line.tsx';
import { createLogText } from './log-text.ts';

const TEXT_MS = 20_000;

/** Files that the run left: pictures are seen, text is read, everything is to be kept. */
export function Files({ run }: { run: RunDetail }) {
  const text = useText({ en, fr });
  const [shown, setShown] = useState<Sent | null>(null);
  if (run.files.length === 0)
    return (
      <Card title={text.files.title}>
        <p class="quiet">{goesOn(run.state) ? text.files.later : text.files.none}</p>
      </Card>
    );
  return (
    <Card title={text.files.title}>
      <ul class="run-files">
        {run.files.map((file) => (
          <File key={file.name} file={file} onShow={setShown} />
        ))}
      </ul>
      {shown === null ? null : <Shown file={shown} onClose={() => setShown(null)} />}
    </Card>
  );
}

type Sent = RunFile & { readonly upload_id: string };

function sent(file: RunFile): file is Sent {
  return file.upload_id !== null && file.received === file.size;
}

const addressOf = ({ upload_id }: Sent, show = false) =>
  `/api/uploads/${encodeURIComponent(upload_id)}${show ? '?show=1' : ''}`;

function File({ file, onShow }: { file: RunFile; onShow: (file: Sent) => void }) {
  const { files: text } = useText({ en, fr });
  const format = useFormat();
  const name = visible(file.name);
  const here = sent(file);
  return (
    <li class="run-file">
      {here && file.show === 'image' ? (
        <button type="button" class="run-picture" aria-label={text.showOf(name)} onClick={() => onShow(file)}>
          <img src={addressOf(file, true)} alt="" loading="lazy" />
        </button>
      ) : (
        <span class="run-picture is-none">
          <Icon name={file.show === 'text' ? 'events' : 'download'} size={24} />
        </span>
      )}
      <div class="run-file-body">
        <strong class="run-file-name" title={name}>
          {name}
        </strong>
        <span class="quiet small">
          {format.bytes(file.size)} · {text.digest}{' '}
          <Mono text={file.sha256} short={file.sha256.slice(0, 12)} copy />
        </span>
        {here ? (
          <span class="line">
            {file.show === 'text' ? (
              <Button small label={text.showOf(name)} onClick={() => onShow(file)}>
                {text.show}
              </Button>
            ) : null}
            <a class="button is-small" href={addressOf(file)} download aria-label={text.downloadOf(name)}>
              <Icon name="download" />
              {text.download}
            </a>
          </span>
        ) : (
          <span class="quiet small">
            {file.received === null
              ? text.notSent
              : text.coming(format.bytes(file.received), format.bytes(file.size))}
          </span>
        )}
      </div>
    </li>
  );
}

function Shown({ file, onClose }: { file: Sent; onClose: () => void }) {
  const { files: text } = useText({ en, fr });
  const name = visible(file.name);
  return (
    <Dialog
      wide
      title={name}
      onClose={onClose}
      foot={
        <a class="button" href={addressOf(file)} download>
          <Icon name="download" />
          {text.download}
        </a>
      }
    >
      {file.show === 'image' ? (
        <img class="run-picture-large" src={addressOf(file, true)} alt={name} />
      ) : (
        <FileText file={file} />
      )}
    </Dialog>
  );
}

function FileText({ file }: { file: Sent }) {
  const [read, setRead] = useState<string | null>(null);
  const [fault, setFault] = useState<unknown>(null);
  useEffect(() => {
    const gone = new AbortController();
    const signal = AbortSignal.any([gone.signal, AbortSignal.timeout(TEXT_MS)]);
    textOf(addressOf(file), signal).then(setRead, (error: unknown) => {
      if (!gone.signal.aborted) setFault(error);
    });
    return () => gone.abort();
  }, [file]);
  const log = useMemo(() => {
    const made = createLogText();
    made.add(read ?? '');
    return made;
  }, [read]);
  if (fault !== null) return <FaultNote fault={fault} />;
  if (read === null) return <Bones lines={6} />;
  const lineOf = (index: number) => {
    const line = log.lines[index];
    return line === undefined ? null : <LogLineText line={line} words="" />;
  };
  return <LogLines label={visible(file.name)} count={log.lines.length} line={lineOf} />;
}

/** At most 1 MiB: of larger ones the console says that they are to be kept alone. */
async function textOf(address: string, signal: AbortSignal): Promise<string> {
  const answer = await fetch(address, { signal, credentials: 'same-origin', cache: 'no-store' });
  if (!answer.ok) throw new ApiFault(answer.status, 'not_understood', `HTTP ${answer.status}`);
  return answer.text();
}
