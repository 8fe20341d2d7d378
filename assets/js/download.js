// Buttons that ask the server for a text and save it as a file: nothing is written on the server.
element.querySelectorAll('button').forEach(button => button.onclick = async () => {
  const file = await server.fetch_file({ ...props.value, kind: button.dataset.kind });
  if (!file.name) return;
  const link = Object.assign(document.createElement('a'), { href: URL.createObjectURL(new Blob([file.text], { type: file.type })), download: file.name });
  link.click();
  setTimeout(() => URL.revokeObjectURL(link.href), 10000);
});
