import { useApiDocument } from '../../api/queries.ts';
import { Mono } from '../../parts/copied.tsx';
import { Card, Facts } from '../../parts/page.tsx';
import { en } from '../../text/en/settings.ts';
import { fr } from '../../text/fr/settings.ts';
import { useText } from '../../text/language.tsx';

/** Which console this is: what somebody asks who helps. */
export function AboutTab() {
  const { about: text } = useText({ en, fr });
  const { data } = useApiDocument();
  return (
    <Card title={text.console}>
      <Facts
        facts={[
          [text.version, data === undefined ? '…' : <Mono key="version" text={data.info.version} copy />],
          [text.address, <Mono key="address" text={window.location.origin} copy />],
          [
            text.api,
            <a key="api" href="/api/docs">
              {text.apiText}
            </a>,
          ],
        ]}
      />
    </Card>
  );
}
