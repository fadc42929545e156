/** Whether a box with `field-sizing: content` is as high as its text by the browser itself. Else it is
 * measured, which costs a layout of the page for each box and each key. */
export const FITS_ITSELF = CSS.supports('field-sizing', 'content')
