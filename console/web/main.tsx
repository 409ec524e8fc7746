// The console's pages: Preact, built by `node scripts/build-web.ts` (`--watch` while you write), served by console/routes/pages.ts.
//
// How a page is written. It is the default export of pages/<name>.tsx, named in routes.ts, and its code is fetched when it is
// gone to:
//
//   import { useReleases } from '../api/queries.ts';         // one hook an address; live.ts keeps it fresh
//   import { useParameters, useTenant } from '../frame/address.ts';
//   import { DataTable, type Column } from '../parts/data-table.tsx';
//   import { Empty } from '../parts/note.tsx';
//   import { Page } from '../parts/page.tsx';
//   import { en } from '../text/en/releases.ts';              // texts: one file an area and language …
//   import { fr } from '../text/fr/releases.ts';              // … `export const fr: typeof en = …`
//   import { useText } from '../text/language.tsx';
//
//   export default function Releases() {
//     const text = useText({ en, fr });
//     const [parameters, set] = useParameters();              // filters, sort, page and tab live in the address
//     const q = parameters.get('q') ?? '';
//     const { data, error, isPlaceholderData, refetch } = useReleases({ tenant: useTenant() ?? undefined, q });
//     return (
//       <Page title={text.title}>
//         <DataTable rows={data?.releases} stale={isPlaceholderData} fault={error} onRetry={() => void refetch()} … />
//       </Page>
//     );
//   }
//
// The rules: types (and nothing else) come from schemas/console; a change goes through `useApi().send`, after a `ConfirmAction`
// that says what will happen; whoever may not is told why (`useMay`, `offBecause`); no inline style or script (the policy of
// the pages forbids them: classes, SVG attributes, or CSSOM by `ref`); a colour never says anything alone; every time is a
// `<Time>`, every id, revision and version a `<Mono>`, `<Revision>` or `<Version>`. Styles of a page alone: style/<page>.css in
// `@layer pages`, imported by the page.
import './style/layers.css';
import './style/tokens.css';
import './style/base.css';
import './style/frame.css';
import './style/parts.css';
import './style/table.css';
import { render } from 'preact';
import { App } from './app.tsx';
import { kept } from './frame/kept.ts';
import { showTheme } from './frame/theme.ts';

showTheme(kept('theme'));
const place = document.getElementById('page');
if (place === null) throw new Error('expected an element "page" in index.html');
place.replaceChildren();
render(<App />, place);
