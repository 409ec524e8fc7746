import type { ComponentType } from 'preact';
import { useEffect, useState } from 'preact/hooks';
import { Button } from '../parts/button.tsx';
import { Bones, Note } from '../parts/note.tsx';
import { useWords } from '../text/words.ts';

/** The parameters of a page's path, as written in `routes.ts`. */
export interface PageParameters {
  readonly params: Readonly<Record<string, string>>;
}

export interface LazyPage {
  readonly Page: ComponentType<PageParameters>;
  /** Fetches its code, so that it is there when it is wanted. */
  readonly load: () => Promise<unknown>;
}

/** A page whose code is fetched when it is first gone to. */
export function lazyPage(load: () => Promise<{ default: ComponentType<PageParameters> }>): LazyPage {
  let loaded: ComponentType<PageParameters> | null = null;
  let loading: Promise<void> | null = null;
  const fetched = async () => {
    try {
      loaded = (await load()).default;
    } catch (fault) {
      loading = null;
      throw fault;
    }
  };
  const once = () => (loading ??= fetched());
  function Page(props: PageParameters) {
    const [state, setState] = useState<'loading' | 'there' | 'failed'>(loaded === null ? 'loading' : 'there');
    useEffect(() => {
      let gone = false;
      if (loaded === null)
        once().then(
          () => !gone && setState('there'),
          () => !gone && setState('failed'),
        );
      return () => {
        gone = true;
      };
    }, []);
    if (state === 'failed') return <Missing />;
    const Loaded = loaded;
    return Loaded === null ? (
      <div class="page">
        <Bones lines={3} block />
      </div>
    ) : (
      <Loaded {...props} />
    );
  }
  return { Page, load: once };
}

/** Its file is not there any more: the console has been updated under an open page. */
function Missing() {
  const { fault } = useWords();
  return (
    <div class="page" role="alert">
      <Note
        tone="warn"
        title={fault.newVersion}
        side={<Button onClick={() => window.location.reload()}>{fault.reload}</Button>}
      />
    </div>
  );
}
