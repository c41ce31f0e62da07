export const title = "Landscape";
export const open = () => ({ repaint() {} });
