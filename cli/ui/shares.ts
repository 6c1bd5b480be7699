/** `linear 75.0 %, svc 25.0 %`: what each weight is of all of them. */
export function sharesText(weights: readonly { readonly route: string; readonly weight: number }[]): string {
  const total = weights.reduce((sum, { weight }) => sum + weight, 0);
  return weights
    .map(({ route, weight }) => `${route} ${total > 0 ? ((100 * weight) / total).toFixed(1) : '0.0'} %`)
    .join(', ');
}
