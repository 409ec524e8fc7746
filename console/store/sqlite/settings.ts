import type { SettingStore } from '../ports/settings.ts';
import type { ConsoleDatabase } from './database.ts';

export function createSettingStore({ prepare, write }: ConsoleDatabase): SettingStore {
  return {
    async publicUrl() {
      const row = prepare("SELECT value FROM settings WHERE name = 'public_url'").get();
      return (row as { value: string } | undefined)?.value ?? null;
    },
    setPublicUrl: (url) =>
      write(() => {
        prepare(
          "INSERT INTO settings (name, value) VALUES ('public_url', ?) ON CONFLICT DO UPDATE SET value = excluded.value",
        ).run(url);
      }),
  };
}
