import { useState } from 'preact/hooks';
import type { TokenMade } from '../../../schemas/console/token.ts';
import { useTokens } from '../api/queries.ts';
import { useMay } from '../api/session.ts';
import { useTenant } from '../frame/address.ts';
import { Empty } from '../parts/note.tsx';
import { Card, Page } from '../parts/page.tsx';
import '../style/tokens-page.css';
import { en } from '../text/en/tokens.ts';
import { fr } from '../text/fr/tokens.ts';
import { useText } from '../text/language.tsx';
import { MadeToken } from './tokens/made-token.tsx';
import { NewToken } from './tokens/new-token.tsx';
import { TokenList } from './tokens/token-list.tsx';

const SHOWN = 100;

/** From a token to a machine: make one, paste its line, watch the machine arrive. */
export default function Tokens() {
  const text = useText({ en, fr });
  const tenant = useTenant() ?? undefined;
  const mayMake = useMay('admin', tenant);
  const tokens = useTokens({ tenant, limit: SHOWN }, mayMake);
  const [made, setMade] = useState<TokenMade | null>(null);
  if (!mayMake)
    return (
      <Page title={text.title} lead={text.lead}>
        <Card>
          <Empty icon="tokens" title={text.adminsOnly}>
            {text.adminsOnlyMore}
          </Empty>
        </Card>
      </Page>
    );
  return (
    <Page title={text.title} lead={text.lead}>
      {made === null ? (
        <NewToken onMade={setMade} />
      ) : (
        <MadeToken
          made={made}
          row={tokens.data?.tokens.find(({ token_id }) => token_id === made.token_id) ?? null}
          onAnother={() => setMade(null)}
        />
      )}
      <TokenList
        tokens={tokens.data?.tokens}
        stale={tokens.isPlaceholderData}
        fault={tokens.error}
        onRetry={() => void tokens.refetch()}
      />
    </Page>
  );
}
