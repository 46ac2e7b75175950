/** What all pages say, in both languages. */
/** @type {import("./i18n.js").Words} */
export default {
  en: {
    "language": "Language",
    "source": "Everything on this page comes from this server; nothing is loaded from elsewhere.",
    "pages": "Pages",
    "pages.call": "Call",
    "pages.check": "Check",
    "pages.inspect": "ICE inspector",
  },
  ja: {
    "language": "言語",
    "source": "このページのファイルはすべてこのサーバーから配信しています。外部からは何も読み込みません。",
    "pages": "ページ",
    "pages.call": "通話",
    "pages.check": "接続診断",
    "pages.inspect": "ICE の観察",
  },
};
