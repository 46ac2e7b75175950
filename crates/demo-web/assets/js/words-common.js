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
    "own.link": "Rooms on this server open to personal links only, so it told this page no ICE servers. Open the page with such a link ({page}?room=…#token=…).",
    "own.unreachable": "The signaling server does not answer, so its ICE servers are unknown.",
    "own.refused": "The signaling server told this page no ICE servers ({code}).",
    "own.stale": "The signaling server gave no new credentials for its ICE servers; the old ones may have expired.",
  },
  ja: {
    "language": "言語",
    "source": "このページのファイルはすべてこのサーバーから配信しています。外部からは何も読み込みません。",
    "pages": "ページ",
    "pages.call": "通話",
    "pages.check": "接続診断",
    "pages.inspect": "ICE の観察",
    "own.link": "このサーバーの部屋には招待リンクが必要なため、ICE サーバーの一覧を受け取れませんでした。招待リンクの付いた形（{page}?room=…#token=…）で開いてください。",
    "own.unreachable": "シグナリングサーバーが応答しないため、ICE サーバーの一覧を受け取れませんでした。",
    "own.refused": "シグナリングサーバーが ICE サーバーの一覧を渡しませんでした（{code}）。",
    "own.stale": "シグナリングサーバーから ICE サーバーの新しい認証情報を受け取れませんでした。前のものは期限が切れているかもしれません。",
  },
};
