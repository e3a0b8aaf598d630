// Runs a Python script in Pyodide, the Python of JupyterLite: node pyodide.mjs PYODIDE SCRIPT FOLDER...
import { readFileSync } from "node:fs";
import { pathToFileURL } from "node:url";

const [pyodide, script, ...folders] = process.argv.slice(2);
const { loadPyodide } = await import(pathToFileURL(`${pyodide}/pyodide.mjs`));
const python = await loadPyodide({ indexURL: pyodide });
folders.forEach((folder, number) => python.mountNodeFS(`/mounted${number}`, folder));
python.runPython(`import sys; sys.path[:0] = [f"/mounted{number}" for number in range(${folders.length})]`);
try {
  await python.runPythonAsync(readFileSync(script, "utf8"));
} catch (error) {
  console.error(String(error));
  process.exitCode = 1;
}
