/** What a console keeps of itself. */
export interface SettingStore {
  /** Origin that agents and people call; null before the first start. */
  publicUrl(): Promise<string | null>;
  setPublicUrl(url: string): Promise<void>;
}
