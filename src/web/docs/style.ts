export const style = `:root { color-scheme: light dark; font: 16px/1.5 system-ui, sans-serif }
body { max-width: 60rem; margin: 2rem auto; padding: 0 1rem }
header label { display: inline-block; margin-right: 1rem }
details { border: 1px solid #8884; border-radius: 4px; margin: .3rem 0; padding: .3rem .6rem }
summary { cursor: pointer }
summary b { display: inline-block; width: 4.5rem }
summary span { margin-left: .8rem; opacity: .75 }
.get { color: #2a7 } .post { color: #27c } .patch { color: #a70 } .delete { color: #c33 }
details label { display: grid; grid-template-columns: 14rem 18rem 1fr; gap: .6rem; margin: .2rem 0 }
input, textarea, button { font: inherit }
textarea { width: 100%; font-family: ui-monospace, monospace }
pre { overflow-x: auto; background: #8882; padding: .6rem }
dl { display: grid; grid-template-columns: 14rem 1fr; gap: .1rem .6rem } dd { margin: 0 }
`
