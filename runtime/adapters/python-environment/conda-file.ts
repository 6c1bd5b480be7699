import { invalidArgument } from '../../ports/errors.ts';

export interface CondaRequirements {
  readonly version: string | undefined;
  /** What pip can install, as its requirements. */
  readonly lines: readonly string[];
  /** What only conda can. */
  readonly condaOnly: readonly string[];
}

/** Names that a package has for conda and not for pip. */
const pipNames: Readonly<Record<string, string>> = {
  pytorch: 'torch',
  'pytorch-cpu': 'torch',
  'py-xgboost': 'xgboost',
  'py-xgboost-cpu': 'xgboost-cpu',
  'matplotlib-base': 'matplotlib',
  'tensorflow-base': 'tensorflow',
  'python-graphviz': 'graphviz',
  'py-opencv': 'opencv-python-headless',
  opencv: 'opencv-python-headless',
  'msgpack-python': 'msgpack',
  ruamel_yaml: 'ruamel.yaml',
};

/** Programs, libraries and other languages, which are no Python packages. */
const notPython =
  /^(r-.+|r|_.*|lib(?!rosa|sass|cst).+|cuda.*|cudatoolkit|cudnn|nccl|mkl|blas|openblas|gcc.*|gxx.*|gfortran.*|clang.*|compilers|cmake|make|ninja|openjdk|nodejs|perl|julia|go|rust|git|curl|wget|openssl|zlib|bzip2|hdf5|ffmpeg|graphviz|unixodbc|sqlite|readline|tk|xz|libgcc-ng|libstdcxx-ng|ca-certificates)$/;

/** The dependencies of a conda environment file, as far as pip can install them. */
export function fromConda(name: string, file: Readonly<Record<string, unknown>>): CondaRequirements {
  const dependencies = file['dependencies'] ?? [];
  if (!Array.isArray(dependencies)) throw invalidArgument(`${name}: dependencies must be a list`);
  const lines: string[] = [];
  const condaOnly: string[] = [];
  let version: string | undefined;
  for (const dependency of dependencies as readonly unknown[]) {
    if (typeof dependency === 'object' && dependency !== null) {
      const { pip } = dependency as { pip?: unknown };
      if (!Array.isArray(pip) || pip.some((line) => typeof line !== 'string'))
        throw invalidArgument(`${name}: a dependency that is an object must be {pip: [requirements]}`);
      lines.push(...(pip as string[]));
      continue;
    }
    if (typeof dependency !== 'string')
      throw invalidArgument(`${name}: dependency ${String(dependency)} must be a text`);
    // channel::name=version=build
    const [, channel, wanted = '', constraint = ''] =
      /^(?:([^:\s]+)::)?([A-Za-z0-9_.-]+)\s*(.*)$/.exec(dependency.trim()) ?? [];
    const lower = wanted.toLowerCase();
    if (wanted === '') throw invalidArgument(`${name}: dependency '${dependency}' is not understood`);
    if (lower === 'python') version = pythonVersion(name, constraint);
    else if (['pip', 'setuptools', 'wheel'].includes(lower)) continue;
    else if (notPython.test(lower) || isBuild(constraint)) condaOnly.push(dependency);
    else lines.push(`${pipNames[lower] ?? wanted}${pipConstraint(constraint)}`);
    void channel;
  }
  return { version, lines, condaOnly };
}

/** `=1.2` means 1.2 and its patches; `==1.2` and `>=1.2,<2` mean the same for both; `1.2` and `=1.2.*` are loose. */
function pipConstraint(constraint: string): string {
  const text = constraint.replaceAll(/\s+/g, '');
  if (text === '' || text === '*') return '';
  return text
    .split(',')
    .map((part) => {
      const [, operator = '', version = ''] = /^(==|>=|<=|!=|~=|=|>|<)?(.*)$/.exec(part) ?? [];
      if (operator === '=' || operator === '') return version.endsWith('*') ? `==${version}` : `==${version}.*`;
      return `${operator}${version}`;
    })
    .join(',');
}

/** A third part names one build of one channel, which pip does not have. */
function isBuild(constraint: string): boolean {
  return /^=?=?[^=<>!~]+=[^=]+$/.test(constraint.replaceAll(/\s+/g, '')) && !/^==?[^=]+$/.test(constraint.trim());
}

function pythonVersion(name: string, constraint: string): string | undefined {
  const text = constraint.replaceAll(/\s+/g, '');
  if (text === '') return undefined;
  const [, version] = /^(?:==?|~=|>=)?(\d+(?:\.\d+){0,2})/.exec(text) ?? [];
  if (version === undefined) throw invalidArgument(`${name}: python${constraint} is not understood: write python=3.11`);
  return version;
}
