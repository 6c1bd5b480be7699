/**
 * What runs in the process of a Python model. Messages in both directions: length of the head (4 bytes, little-endian), the head in JSON,
 * and behind it the bytes of its tensors, as `runtime/tensors/raw-bytes.ts` has them. What the model prints goes to stderr.
 */
export const pythonProgram = `
import json, os, struct, sys
requests = os.fdopen(os.dup(0), 'rb')
answers = os.fdopen(os.dup(1), 'wb')
os.dup2(os.open(os.devnull, os.O_RDONLY), 0)
os.dup2(2, 1)

def read(size):
    data = requests.read(size)
    if len(data) < size:
        os._exit(0)
    return data

def say(head, parts=()):
    parts = [bytes(part) for part in parts]
    head['sizes'] = [len(part) for part in parts]
    text = json.dumps(head).encode('utf-8')
    answers.write(struct.pack('<I', len(text)) + text + b''.join(parts))
    answers.flush()

def hear():
    (size,) = struct.unpack('<I', read(4))
    head = json.loads(read(size).decode('utf-8'))
    return head, [read(size) for size in head['sizes']]

try:
    settings, _ = hear()
    import numpy as np
    import mlflow.pyfunc
    model = mlflow.pyfunc.load_model(settings['folder'])
except BaseException as error:
    say({'error': type(error).__name__ + ': ' + str(error)})
    os._exit(3)

kinds = {'BOOL': '?', 'UINT8': 'u1', 'UINT16': '<u2', 'UINT32': '<u4', 'UINT64': '<u8', 'INT8': 'i1', 'INT16': '<i2',
         'INT32': '<i4', 'INT64': '<i8', 'FP16': '<f2', 'FP32': '<f4', 'FP64': '<f8'}
datatypes = {np.dtype(kind): name for name, kind in kinds.items()}

def array_of(spec, data):
    shape = tuple(spec['shape'])
    if spec['datatype'] != 'BYTES':
        return np.frombuffer(data, dtype=kinds[spec['datatype']]).reshape(shape).copy()
    texts, at = [], 0
    while at < len(data):
        (size,) = struct.unpack_from('<I', data, at)
        texts.append(data[at + 4:at + 4 + size].decode('utf-8'))
        at += 4 + size
    return np.array(texts, dtype=object if settings['form'] == 'frame' else str).reshape(shape)

def argument_of(tensors, parts):
    arrays = {spec['name']: array_of(spec, data) for spec, data in zip(tensors, parts)}
    if settings['form'] == 'array':
        return next(iter(arrays.values()))
    if settings['form'] == 'arrays':
        return arrays
    import pandas as pd
    frame = pd.DataFrame({name: arrays[name].reshape(-1) for name in settings['names']})
    for name in settings['times']:
        frame[name] = pd.to_datetime(frame[name])
    return frame

def named(answer):
    if hasattr(answer, 'columns') and hasattr(answer, 'iloc'):
        return [(str(name), answer[name].to_numpy()) for name in answer.columns]
    if hasattr(answer, 'iloc'):
        return [('predictions' if answer.name is None else str(answer.name), answer.to_numpy())]
    if isinstance(answer, dict):
        return [(str(name), np.asarray(value)) for name, value in answer.items()]
    if hasattr(answer, 'toarray'):
        answer = answer.toarray()
    return [('predictions', np.asarray(answer))]

def fitted(outputs):
    wanted = settings['outputs']
    if wanted is None:
        return outputs
    if len(wanted) == 1 and len(outputs) == 1:
        outputs = [(wanted[0]['name'], outputs[0][1])]
    elif len(outputs) == 1 and outputs[0][1].ndim == 2 and outputs[0][1].shape[1] == len(wanted):
        outputs = [(spec['name'], outputs[0][1][:, at]) for at, spec in enumerate(wanted)]
    given = dict(outputs)
    fitting = []
    for spec in wanted:
        if spec['name'] not in given:
            raise KeyError('the model answered %s, its signature has %s' % (sorted(given), spec['name']))
        value = np.asarray(given[spec['name']])
        if spec['datatype'] in kinds and value.dtype != np.dtype(kinds[spec['datatype']]) and value.dtype.kind in 'biuf':
            value = value.astype(kinds[spec['datatype']])
        if value.ndim == len(spec['shape']) + 1 and value.shape[-1] == 1:
            value = value.reshape(value.shape[:-1])
        fitting.append((spec['name'], value))
    return fitting

def text_of(value):
    return '' if value is None else value if isinstance(value, str) else str(value)

def tensor_of(name, value):
    datatype = datatypes.get(value.dtype.newbyteorder('<') if value.dtype.kind in 'iuf' else value.dtype)
    if datatype is None and value.dtype.kind == 'O' and all(isinstance(item, bool) for item in value.reshape(-1)):
        value, datatype = value.astype(bool), 'BOOL'
    if datatype is not None:
        value = np.ascontiguousarray(value, dtype=kinds[datatype]) if value.ndim else value
        return {'name': name, 'datatype': datatype, 'shape': list(value.shape)}, value.tobytes()
    if value.dtype.kind == 'M':
        value = np.datetime_as_string(value)
    if value.dtype.kind not in 'OUS':
        raise TypeError('output %s has the type %s, which is no tensor' % (name, value.dtype))
    texts = [text_of(item).encode('utf-8') for item in value.reshape(-1)]
    data = b''.join(struct.pack('<I', len(text)) + text for text in texts)
    return {'name': name, 'datatype': 'BYTES', 'shape': list(value.shape)}, data

say({'loaded': True})
while True:
    head, parts = hear()
    try:
        answer = model.predict(argument_of(head['tensors'], parts))
        tensors = [tensor_of(name, value) for name, value in fitted(named(answer))]
        say({'tensors': [spec for spec, _ in tensors]}, [data for _, data in tensors])
    except Exception as error:
        say({'error': type(error).__name__ + ': ' + str(error)})
`;
