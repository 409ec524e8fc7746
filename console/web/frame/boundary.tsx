import { Component, type ComponentChildren } from 'preact';
import { Button } from '../parts/button.tsx';
import { Verbatim } from '../parts/copied.tsx';
import { Note } from '../parts/note.tsx';
import { useWords } from '../text/words.ts';

/** What throws while it is drawn takes its page down, and not the console. With the place as its `key`, another is another try. */
export class Boundary extends Component<{ children: ComponentChildren }, { fault: unknown }> {
  override state: { fault: unknown } = { fault: null };

  static override getDerivedStateFromError(fault: unknown): { fault: unknown } {
    return { fault };
  }

  override render() {
    return this.state.fault === null ? this.props.children : <Broken fault={this.state.fault} />;
  }
}

function Broken({ fault }: { fault: unknown }) {
  const { fault: text } = useWords();
  return (
    <div role="alert" class="page">
      <Note
        tone="bad"
        title={text.broke}
        side={<Button onClick={() => window.location.reload()}>{text.reload}</Button>}
      >
        <p>{text.brokeMore}</p>
        <Verbatim>{fault instanceof Error ? `${fault.name}: ${fault.message}` : String(fault)}</Verbatim>
      </Note>
    </div>
  );
}
