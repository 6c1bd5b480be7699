/** Tags of a model version with this prefix name, by content hash, what belongs to the model: a reference sample, a fitted detector. */
export const attachedTag = 'millrace.attached.';
